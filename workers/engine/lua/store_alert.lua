-- Store an alert with its schedule entry, in one transaction with its deduplication. Returns the key of the alert that
-- answers for it: its own, or that of the alert which it repeats.
local alert, schedule, notification = KEYS[1], KEYS[2], KEYS[3]
local ping_watchdog, received = KEYS[4], KEYS[5]
-- KEYS[6] onwards: deduplication keys, one for each firing in the alert
local dedup_seconds, record = tonumber(ARGV[1]), ARGV[2]
-- Milliseconds until the acknowledgement is due; negative if the alert is owed no answer.
local ack_after_ms = tonumber(ARGV[3])
-- Milliseconds until the next pings are late; 0 if the alert is no ping.
local ping_late_ms = tonumber(ARGV[4])
-- The event's name in Railway's feed and its time; '' if the alert is not from Railway.
local event, event_at_ms = ARGV[5], ARGV[6]
-- @include common/now.lua

if ping_late_ms > 0 then
  redis.call('HSET', ping_watchdog, 'stage', 'pings', 'last', now)
  redis.call('HSETNX', ping_watchdog, 'opened', now)
  redis.call('HINCRBY', ping_watchdog, 'signals', 1)
  redis.call('HDEL', ping_watchdog, 'ended', 'ended_as', 'interval')
  redis.call('PERSIST', ping_watchdog)
  local due_at = now + ping_late_ms
  -- The missing pings were reported, so their return is reported at once.
  if redis.call('HGET', ping_watchdog, 'reported') == '1' then due_at = now end
  redis.call('ZADD', schedule, due_at, ping_watchdog)
end
if event ~= '' then
  -- Webhooks arrive out of order: only a later time replaces an earlier one.
  redis.call('ZADD', received, 'GT', event_at_ms, event)
  redis.call('ZREMRANGEBYRANK', received, 0, -1001)
  redis.call('PEXPIRE', received, 172800000)
end
-- Race: the sender repeats a request whose response was lost, or two receivers get the same alert. If the first alert
-- has expired, this one is stored.
local first_alert, new_keys = nil, {}
for i = 6, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if holder and redis.call('EXISTS', holder) == 1 then
    first_alert = first_alert or holder
  else
    new_keys[#new_keys + 1] = KEYS[i]
  end
end
if first_alert and #new_keys == 0 then
  redis.call('HINCRBY', first_alert, 'firings', 1)
  return first_alert
end
-- A group in which one firing is new is a new alert, but the keys of the others keep their first alert and its time.
for _, key in ipairs(new_keys) do redis.call('SET', key, alert, 'EX', dedup_seconds) end
redis.call('HSET', alert, 'opened', now, 'stage', 'intake', 'r:alert', record)
redis.call('ZADD', schedule, now, alert)
if ack_after_ms >= 0 then
  redis.call('HSET', notification, 'opened', now, 'stage', 'notify', 'r:alert', record,
    'ack_due_at', now + ack_after_ms)
  redis.call('ZADD', schedule, now + ack_after_ms, notification)
end
return alert
