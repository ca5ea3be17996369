-- Open a journal unless it exists. Returns 1 if it is new.
local journal, schedule = KEYS[1], KEYS[2]
local after_ms = tonumber(ARGV[1])
-- ARGV[2] onwards: field, value, …
-- @include common/now.lua

-- Race: two workers open the same journal, or one opens it again after a crash. The first one's fields stay.
if redis.call('EXISTS', journal) == 1 then return 0 end
redis.call('HSET', journal, 'opened', now, unpack(ARGV, 2))
redis.call('ZADD', schedule, now + after_ms, journal)
return 1
