# A job that needs 2 GB for some seconds, more than a first attempt is given.


rule hungry:
    output:
        "mem_mb.txt",
    shell:
        """python -c 'import time; held = b"x" * (2 << 30); time.sleep(6)' && echo {resources.mem_mb} > {output}"""
