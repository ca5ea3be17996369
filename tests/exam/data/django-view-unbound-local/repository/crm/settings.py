import os

SECRET_KEY = os.environ.get("SECRET_KEY", "insecure-for-tests")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "crm.urls"
INSTALLED_APPS = []
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.gzip.GZipMiddleware"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
