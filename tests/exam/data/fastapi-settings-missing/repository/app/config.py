from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    database_url: str
    sentry_dsn: str = ""
    page_size: int = Field(default=50, le=200)


settings = Settings()
