-- Quasars of the full range of redshift, 0 < z < 7, beside the two datasets of the paper: the cuts of the extended one
-- without those that would cut the ends off. Beyond z = 4.5 quasars are faint in g, so the limit is in i; nearby ones have
-- a host galaxy, so petroRad is free.
select
    b.rerun, b.run, b.camcol, b.field, b.objID, b.ra, b.dec, b.thing_id, b.mode, b.type, b.clean,
    b.rowc_u, b.rowc_g, b.rowc_r, b.rowc_i, b.rowc_z, b.colc_u, b.colc_g, b.colc_r, b.colc_i, b.colc_z,
    b.psfMag_u, b.psfMag_g, b.psfMag_r, b.psfMag_i, b.psfMag_z,
    b.psfMagErr_u, b.psfMagErr_g, b.psfMagErr_r, b.psfMagErr_i, b.psfMagErr_z,
    b.extinction_u, b.extinction_g, b.extinction_r, b.extinction_i, b.extinction_z,
    b.dered_u, b.dered_g, b.dered_r, b.dered_i, b.dered_z,
    a.specObjID, a.bestObjID, a.class, a.z, a.zErr, a.zWarning, a.plate, a.mjd, a.fiberID, a.run2d
into mydb.crossz_quasars_all
from dr17.SpecObjAll as a
join dr17.PhotoObjAll as b on a.bestObjID = b.objID
where a.class = 'QSO'
    and a.z > 0 and a.z < 7
    and a.zErr > 0 and a.zErr < 0.001
    and b.psfMag_i >= 15 and b.psfMag_i <= 22
    and b.flags is not null and a.zWarning = 0 and b.clean = 1
