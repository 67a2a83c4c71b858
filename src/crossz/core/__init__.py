"""What every package needs: errors, files that appear whole or not at all, the configuration, provenance, names.

In: settings and the contents of files. Out: checked settings, whole files, digests.
"""
