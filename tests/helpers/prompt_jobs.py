"""Imported before a sweep of submitit's: it waits 15 s for the result of a job that is over, as on slow folders."""

import submitit

submitit.Job._results_timeout_s = 1
