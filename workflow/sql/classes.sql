-- Stars, galaxies and quasars with good spectra, for task: classification. Clean primary photometry, the magnitudes of the quasars.
-- DR17 has some millions of them, more stars than the 500,000 rows of a slice: `and a.fiberID % 10 = 0` keeps a tenth.
select
    b.rerun, b.run, b.camcol, b.field, b.objID, b.ra, b.dec, b.thing_id, b.mode, b.type, b.clean,
    b.rowc_u, b.rowc_g, b.rowc_r, b.rowc_i, b.rowc_z, b.colc_u, b.colc_g, b.colc_r, b.colc_i, b.colc_z,
    b.psfMag_u, b.psfMag_g, b.psfMag_r, b.psfMag_i, b.psfMag_z,
    b.psfMagErr_u, b.psfMagErr_g, b.psfMagErr_r, b.psfMagErr_i, b.psfMagErr_z,
    b.extinction_u, b.extinction_g, b.extinction_r, b.extinction_i, b.extinction_z,
    b.dered_u, b.dered_g, b.dered_r, b.dered_i, b.dered_z,
    a.specObjID, a.bestObjID, a.class, a.z, a.zErr, a.zWarning, a.plate, a.mjd, a.fiberID, a.run2d
into mydb.crossz_classes
from dr17.SpecObjAll as a
join dr17.PhotoObjAll as b on a.bestObjID = b.objID
where a.class in ('STAR', 'GALAXY', 'QSO')
    and a.zErr > 0 and a.zWarning = 0
    and b.mode = 1 and b.clean = 1
    and b.psfMag_r >= 15 and b.psfMag_r <= 22
