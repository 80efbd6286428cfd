"""The calendar of a CronTask, and the Tasks that it creates. Pure; shared by the operator and ``celeriac cron``."""
