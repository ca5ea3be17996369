"""The door: takes alerts in, answers, never analyses. `app` says who hears what, `clock` is the self-ping."""
