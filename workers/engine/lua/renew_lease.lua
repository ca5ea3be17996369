-- Extend the lease of a claim. Returns 0 if the claim is lost.
local journal, schedule = KEYS[1], KEYS[2]
local fence, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
-- @include common/now.lua
-- @include common/check_claim.lua

redis.call('HSET', journal, 'lease', now + lease_ms)
redis.call('ZADD', schedule, now + lease_ms, journal)
return 1
