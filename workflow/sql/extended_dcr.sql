-- The rows of the extended dataset with the offsets between bands and the time, for photometry.columns: [dcr].
select
    b.rerun, b.run, b.camcol, b.field, b.objID, b.ra, b.dec, b.thing_id, b.mode, b.type, b.clean,
    b.rowc_u, b.rowc_g, b.rowc_r, b.rowc_i, b.rowc_z, b.colc_u, b.colc_g, b.colc_r, b.colc_i, b.colc_z,
    b.psfMag_u, b.psfMag_g, b.psfMag_r, b.psfMag_i, b.psfMag_z,
    b.psfMagErr_u, b.psfMagErr_g, b.psfMagErr_r, b.psfMagErr_i, b.psfMagErr_z,
    b.extinction_u, b.extinction_g, b.extinction_r, b.extinction_i, b.extinction_z,
    b.dered_u, b.dered_g, b.dered_r, b.dered_i, b.dered_z,
    b.offsetRa_u, b.offsetRa_g, b.offsetRa_i, b.offsetRa_z, b.offsetDec_u, b.offsetDec_g, b.offsetDec_i, b.offsetDec_z, b.TAI_r,
    a.specObjID, a.bestObjID, a.class, a.z, a.zErr, a.zWarning, a.plate, a.mjd, a.fiberID, a.run2d
into mydb.crossz_extended_dcr
from dr17.SpecObjAll as a
join dr17.PhotoObjAll as b on a.bestObjID = b.objID
where a.class = 'QSO'
    and a.z >= 1 and a.z < 5
    and a.zErr > 0 and a.zErr < 0.001
    and b.psfMag_g >= 18 and b.psfMag_g <= 22
    and b.petroRad_r < 5
    and b.flags is not null and a.zWarning = 0 and b.clean = 1
