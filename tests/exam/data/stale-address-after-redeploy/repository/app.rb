require "redis"

REDIS = Redis.new(url: ENV.fetch("REDIS_URL"))

def hits
  REDIS.incr("hits")
end
