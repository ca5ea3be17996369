require "sinatra"
require "redis"

set :redis, Redis.new(url: ENV.fetch("REDIS_URL"))

get "/count" do
  settings.redis.incr("count").to_s
end
