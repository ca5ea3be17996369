-- Write fields of Railway's rate limit; all of them expire together.
local rate_limit = KEYS[1]
local ttl_seconds = ARGV[1]
-- ARGV[2] onwards: field, value, …

redis.call('HSET', rate_limit, unpack(ARGV, 2))
redis.call('EXPIRE', rate_limit, ttl_seconds)
return 1
