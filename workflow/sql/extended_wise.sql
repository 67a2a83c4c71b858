-- The rows of the extended dataset with W1 and W2 of WISE: photometry forced at the places of SDSS objects (Lang, Hogg &
-- Schlegel 2016), Vega magnitudes. LEFT JOIN: an object without it stays, with NULL.
select
    b.rerun, b.run, b.camcol, b.field, b.objID, b.ra, b.dec, b.thing_id, b.mode, b.type, b.clean,
    b.rowc_u, b.rowc_g, b.rowc_r, b.rowc_i, b.rowc_z, b.colc_u, b.colc_g, b.colc_r, b.colc_i, b.colc_z,
    b.psfMag_u, b.psfMag_g, b.psfMag_r, b.psfMag_i, b.psfMag_z,
    b.psfMagErr_u, b.psfMagErr_g, b.psfMagErr_r, b.psfMagErr_i, b.psfMagErr_z,
    b.extinction_u, b.extinction_g, b.extinction_r, b.extinction_i, b.extinction_z,
    b.dered_u, b.dered_g, b.dered_r, b.dered_i, b.dered_z,
    w.w1_mag, w.w1_mag_err, w.w2_mag, w.w2_mag_err,
    a.specObjID, a.bestObjID, a.class, a.z, a.zErr, a.zWarning, a.plate, a.mjd, a.fiberID, a.run2d
into mydb.crossz_extended_wise
from dr17.SpecObjAll as a
join dr17.PhotoObjAll as b on a.bestObjID = b.objID
left join dr17.wise_forcedTarget as w on w.objID = b.objID
where a.class = 'QSO'
    and a.z >= 1 and a.z < 5
    and a.zErr > 0 and a.zErr < 0.001
    and b.psfMag_g >= 18 and b.psfMag_g <= 22
    and b.petroRad_r < 5
    and b.flags is not null and a.zWarning = 0 and b.clean = 1
