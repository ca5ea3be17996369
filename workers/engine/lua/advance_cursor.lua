-- Remember up to which time an environment's event feed was compared with the webhooks that arrived.
local slot = KEYS[1]
local window_end_ms, ttl_ms = tonumber(ARGV[1]), ARGV[2]

-- Race: a stale worker of an earlier sweep arrives late. The cursor never moves back.
if tonumber(redis.call('HGET', slot, 'cursor') or 0) < window_end_ms then
  redis.call('HSET', slot, 'cursor', ARGV[1])
end
redis.call('PEXPIRE', slot, ttl_ms)
return 1
