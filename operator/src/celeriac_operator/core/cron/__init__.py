"""What happens to a CronTask: read ``decide.py`` first. Pure."""
