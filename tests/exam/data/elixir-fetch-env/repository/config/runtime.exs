import Config

config :hooks,
  secret: System.fetch_env!("HOOKS_SIGNING_SECRET"),
  port: String.to_integer(System.get_env("PORT", "4000"))
