"""What an emergency lost: read from binary logs, compared with the survivor, told, and put back where it can be."""
