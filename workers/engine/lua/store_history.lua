-- Write and remove fields of an environment's history.
local history = KEYS[1]
local ttl_seconds, removed = ARGV[1], tonumber(ARGV[2])
-- ARGV[3] onwards: the fields to remove, then field, value, …

for i = 3, 2 + removed do redis.call('HDEL', history, ARGV[i]) end
for i = 3 + removed, #ARGV, 2 do redis.call('HSET', history, ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', history, ttl_seconds)
return 1
