"""Drivers for database servers, on one pymysql session."""
