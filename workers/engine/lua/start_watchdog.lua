-- Expect pings from now on. Every worker calls this at start.
local ping_watchdog, schedule = KEYS[1], KEYS[2]
local late_ms, startup_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
-- @include common/now.lua

-- Race: several workers start. Only the first opens the journal; its deadline stands.
if redis.call('HSETNX', ping_watchdog, 'opened', now) == 1 then
  redis.call('HSET', ping_watchdog, 'stage', 'pings')
  redis.call('ZADD', schedule, now + late_ms, ping_watchdog)
end
-- After a stop of the whole product the last ping is old: the clock gets time to send the next one.
redis.call('ZADD', schedule, 'GT', now + startup_ms, ping_watchdog)
return 1
