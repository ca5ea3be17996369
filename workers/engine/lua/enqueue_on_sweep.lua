-- Put an alert on the one sweep of its environment that no worker has claimed yet, and open that sweep if there is
-- none. Returns the sweep's key, or '' if the sweep is full.
local slot, schedule, alert, notification = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local sweep_prefix, alert_id = ARGV[1], ARGV[2]
local environment_record, alert_record = ARGV[3], ARGV[4]
local slot_ttl_ms = ARGV[5]
-- Alerts with the same scope report the same trouble: one answer is enough for all of them.
local scope = ARGV[6]
-- The most fields that the sweep's hash may have, because a claim reads all of them.
local max_fields = tonumber(ARGV[7])
-- @include common/now.lua

local sweep = redis.call('HGET', slot, 'queued_sweep')
if not sweep or redis.call('EXISTS', sweep) == 0 or redis.call('HEXISTS', sweep, 'ended') == 1 then
  -- The slot may have expired, and its counter with it, while sweeps that it numbered still exist.
  repeat sweep = sweep_prefix .. ':' .. redis.call('HINCRBY', slot, 'n', 1) until redis.call('EXISTS', sweep) == 0
  redis.call('HSET', slot, 'queued_sweep', sweep)
  redis.call('PEXPIRE', slot, slot_ttl_ms)
  redis.call('HSET', sweep, 'opened', now, 'stage', 'survey', 'r:environment', environment_record)
end
local same = redis.call('HGET', sweep, 'same:' .. scope)
-- Race: the alert's own notification may be under way. Once a worker has claimed it (`fence`), the alert keeps its own
-- answer.
if same and same ~= alert_id and redis.call('HEXISTS', notification, 'fence') == 0 then
  local answering_alert = string.sub(alert, 1, #alert - #alert_id) .. same
  -- After a crash this runs again: the firing is counted once.
  if redis.call('HSETNX', alert, 'same', same) == 1 and redis.call('EXISTS', answering_alert) == 1 then
    redis.call('HINCRBY', answering_alert, 'firings', 1)
  end
  redis.call('DEL', notification)
  redis.call('ZREM', schedule, notification)
elseif redis.call('HLEN', sweep) >= max_fields and redis.call('HEXISTS', sweep, 'a:' .. alert_id) == 0 then
  return ''
else
  redis.call('HSET', sweep, 'a:' .. alert_id, alert_record, 'same:' .. scope, alert_id)
end
redis.call('ZADD', schedule, now, sweep)
redis.call('HSET', alert, 'sweep', sweep, 'on:' .. sweep_prefix, sweep)
return sweep
