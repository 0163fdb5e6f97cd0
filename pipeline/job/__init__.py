"""Running a job and accounting for it."""
