-- Make a scheduled journal due within some milliseconds, if it is due later.
local schedule = KEYS[1]
local journal, within_ms = ARGV[1], tonumber(ARGV[2])
-- @include common/now.lua

-- Race: the journal ended meanwhile (XX), or is due sooner (LT): then its entry stays.
return redis.call('ZADD', schedule, 'XX', 'LT', now + within_ms, journal)
