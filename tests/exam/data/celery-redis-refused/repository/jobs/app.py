import os

from celery import Celery

app = Celery("jobs", broker=os.environ["REDIS_URL"], include=["jobs.tasks"])
app.conf.broker_connection_retry_on_startup = True
