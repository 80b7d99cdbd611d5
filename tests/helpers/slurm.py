"""Stands in for Slurm's commands in a test: `sbatch`, `srun`, `sacct` and `scancel`, by the name it is called by.

sbatch keeps the script it was given, and starts every task of the array at once; sacct knows which of them have ended.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
kept = Path(os.environ["SLURM_STAND_IN"])
if name == "sbatch":
    kept.write_text(Path(arguments[-1]).read_text())
    array = re.search(r"--array=0-(\d+)", kept.read_text())
    assert array is not None
    for task in range(int(array[1]) + 1):
        variables = {
            "SLURM_JOB_ID": str(700 + task),
            "SLURM_ARRAY_JOB_ID": "700",
            "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_JOB_NODELIST": "here",
            "SLURM_NTASKS": "1",
            "SLURM_NODEID": "0",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
        }
        log = kept.with_name(f"{task}.log").open("w")
        command = ["bash", "-c", f"bash '{kept}'; touch '{kept.with_name(f'{task}.ended')}'"]
        subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log)
    print("Submitted batch job 700")
elif name == "srun":
    arguments = arguments[arguments.index(sys.executable) :]
    os.execvp(arguments[0], arguments)
elif name == "sacct":
    print("JobID|State|NodeList")
    for started in sorted(kept.parent.glob("*.log")):
        print(f"700_{started.stem}|{'FAILED' if started.with_suffix('.ended').exists() else 'RUNNING'}|here")
