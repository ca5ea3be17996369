-- Open an incident for a cause, or add the sweep's findings to the open incident of that cause. Returns the key of the
-- incident that holds the cause. Nothing else opens an incident, so that there is one open incident per cause.
local open_incidents, schedule, journal, notification = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local counters = KEYS[5]
local fingerprint, incident_record = ARGV[1], ARGV[2]
local ack_after_ms, findings_record = tonumber(ARGV[3]), ARGV[4]
-- 1: a forwarded alert is visible in the channel already and takes the place of the acknowledgement.
local forwarded = ARGV[5]
local sweep = ARGV[6]
-- The incident group that announces the incident; '' if it announces itself.
local group = ARGV[7]
-- The windows from before the onset; the end of the sweep's window (ms).
local before_record, seen_at = ARGV[8], tonumber(ARGV[9])
-- What a new incident counts in the metrics.
local counts = ARGV[10]
-- ARGV[11] onwards: notification journals of the alerts that named the service
-- @include common/now.lua
-- @include common/count.lua
-- @include common/wake.lua
-- @include common/is_open.lua
-- @include common/notification_of.lua

-- The incident's notification takes over an alert's: the alert's acknowledgement, if it was posted, becomes the
-- incident's first message, and the alert's notification ends.
local function merge(own, other)
  -- The alert was owed no answer, or its notification expired.
  if redis.call('EXISTS', other) == 0 then return end
  -- With an acknowledgement of its own the incident needs no other; 300 fields are more than one full sweep's alerts.
  if redis.call('HEXISTS', own, 'r:ack') == 0 and redis.call('HLEN', own) < 300 then
    redis.call('HSET', own, 'merge_from:' .. other, now)
  end
  if redis.call('HEXISTS', other, 'ended') == 1 then return end
  redis.call('HSET', other, 'merged_into', own)
  wake(other)
end

local holder = redis.call('HGET', open_incidents, fingerprint)
-- Race: two sweeps, or one sweep again after a crash, find the same cause. Only the first opens an incident.
if holder and is_open(holder) then
  -- A sweep that runs again after a crash counts once.
  if redis.call('HGET', holder, 'found_by') ~= sweep then redis.call('HINCRBY', holder, 'firings', 1) end
  local state = redis.call('HMGET', holder, 'clean_sweeps', 'found_at', 'relapse_ms')
  -- The trouble had stayed away and is back: the incident ends only after a longer time without it.
  if tonumber(state[1] or 0) > 0 and state[2] then
    local away = seen_at - tonumber(state[2])
    redis.call('HSET', holder, 'relapse_ms', math.max(away, tonumber(state[3] or 0)))
  end
  redis.call('HSET', holder, 'clean_sweeps', 0, 'r:latest_findings', findings_record, 'found_by', sweep,
    'found_at', seen_at)
  wake(holder)
  local its_notification = notification_of(holder)
  if forwarded == '1' then redis.call('HSET', its_notification, 'forwarded', 1) end
  for i = 11, #ARGV do merge(its_notification, ARGV[i]) end
  if #ARGV > 10 then wake(its_notification) end
  return holder
end
-- An occurrence soon after the end of the one before it is a relapse, too.
local last_end = redis.call('GET', open_incidents .. ':last_end:' .. fingerprint)
local ended_at = last_end and tonumber(string.match(last_end, '^%d+')) or 0
local relapse_ms = seen_at - ended_at
if relapse_ms < 0 or relapse_ms > 86400000 then relapse_ms = 0 end
redis.call('HSET', open_incidents, fingerprint, journal)
redis.call('HSET', journal, 'opened', now, 'stage', 'enrich', 'r:incident', incident_record, 'r:latest_findings', findings_record,
  'firings', 1, 'clean_sweeps', 0, 'found_by', sweep, 'found_at', seen_at, 'relapse_ms', relapse_ms)
count(journal, counters, counts)
if before_record ~= '' then redis.call('HSET', journal, 'r:before', before_record) end
redis.call('ZADD', schedule, now, journal)
redis.call('HSET', notification, 'opened', now, 'stage', 'notify', 'r:incident', incident_record,
  'ack_due_at', now + ack_after_ms)
if forwarded == '1' then redis.call('HSET', notification, 'forwarded', 1) end
if group ~= '' then redis.call('HSET', journal, 'group', group) end
for i = 11, #ARGV do merge(notification, ARGV[i]) end
redis.call('ZADD', schedule, now + ack_after_ms, notification)
return journal
