"""What makes or fetches the course's data: `python -m data_scripts --help`."""
