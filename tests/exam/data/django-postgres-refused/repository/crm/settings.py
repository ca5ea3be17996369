import os

SECRET_KEY = os.environ.get("SECRET_KEY", "insecure-for-tests")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "crm.urls"
INSTALLED_APPS = ["crm"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "NAME": "postgres",
        "USER": "postgres",
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
