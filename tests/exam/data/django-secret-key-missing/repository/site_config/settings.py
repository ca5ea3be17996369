import environ

env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_config.urls"
INSTALLED_APPS = []
