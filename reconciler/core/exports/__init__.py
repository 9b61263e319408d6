"""Exports: what `install` puts and what cron runs, as documents for teams that install by code. Pure: values in, values out."""
