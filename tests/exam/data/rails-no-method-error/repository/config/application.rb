require "logger"
require "rails"
require "action_controller/railtie"

class Shop < Rails::Application
  config.root = File.expand_path("..", __dir__)
  config.eager_load = true
  config.consider_all_requests_local = false
  config.secret_key_base = ENV.fetch("SECRET_KEY_BASE")
  config.hosts.clear
  config.logger = ActiveSupport::TaggedLogging.new(Logger.new($stdout, formatter: Logger::Formatter.new))
  config.log_tags = [:request_id]
  config.log_level = :info
end
