-- Make a journal due at a stage as if that stage had not been tried. Returns 'due', 'gone', 'running', 'changed' if
-- the caller must read the journal again, 'repeated' if the request has an answer, or the key of another occurrence that
-- holds the cause.
-- `notification` is '' if there is none.
local journal, schedule, open_incidents, notification, ended_journals = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local request, audit = KEYS[6], KEYS[7]
local stage = ARGV[1]
-- The journal as the caller read it.
local seen_fence, seen_stage, seen_ended = ARGV[2], ARGV[3], ARGV[4]
-- 1: allowed only while nothing was pushed.
local before_push = ARGV[5]
local entry = ARGV[6]
-- ARGV[7] onwards: fields that are discarded
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua

local state = redis.call('HMGET', journal, 'stage', 'lease', 'ended', 'fence')
local ended = state[3]
if not state[1] then return 'gone' end
if not ended and tonumber(state[2] or 0) > now then return 'running' end
-- Race: a worker claimed, advanced or ended the journal after the caller chose the stage and the fields.
if (state[4] or '') ~= seen_fence or state[1] ~= seen_stage or (ended or '') ~= seen_ended then return 'changed' end
-- Race: a worker pushed the branch meanwhile. That patch is public, and another one would contradict it.
if before_push == '1' and redis.call('HEXISTS', journal, 'r:branch') + redis.call('HEXISTS', journal, 'r:pull') > 0 then
  return 'changed'
end
local fingerprint = string.match(journal, '^%w+:incident:(%w+):')
if fingerprint then
  local holder = redis.call('HGET', open_incidents, fingerprint)
  -- A cause has one open incident: while another occurrence is open, this one stays ended.
  if holder and holder ~= journal and is_open(holder) then return holder end
  redis.call('HSET', open_incidents, fingerprint, journal)
  -- Clean sweeps that ended it must not end it again at once.
  if ended then redis.call('HSET', journal, 'clean_sweeps', 0) end
end
if before_push == '1' then redis.call('HINCRBY', journal, 'generation', 1) end
-- A second outcome and a second follow-up are posted as messages of their own.
local message_counter = { ['r:outcome'] = 'fix_requests', ['r:follow_up'] = 'rewatch_count' }
for i = 7, #ARGV do
  if redis.call('HDEL', journal, ARGV[i]) == 1 and message_counter[ARGV[i]] then
    redis.call('HINCRBY', journal, message_counter[ARGV[i]], 1)
  end
  redis.call('HDEL', journal, 'again:' .. string.sub(ARGV[i], 3))
end
-- A suppressed incident would stop at its first stage: a person's request counts more.
if stage ~= 'watch' and redis.call('HEXISTS', journal, 'suppressed_by') == 1
  and redis.call('HEXISTS', journal, 'fix_requests') == 0 then
  redis.call('HSET', journal, 'fix_requests', 1)
end
redis.call('HDEL', journal, 'lease', 'not_before', 'token', 'failing_since', 'reason', 'ended', 'ended_as', 'outcome')
redis.call('HSET', journal, 'stage', stage, 'crashes', 0, 'attempts', 0)
-- A worker whose lease expired, and that only stood still, loses its claim.
redis.call('HINCRBY', journal, 'fence', 1)
redis.call('ZREM', ended_journals, journal)
redis.call('ZREM', ended_journals .. ':incidents', journal)
wake(journal)
if fingerprint then
  wake(notification)
  conclude()
  return 'due'
end

-- Alerts that have an answer get a second one.
local function answer_again(alert_notification)
  if redis.call('HDEL', alert_notification, 'answer') == 1 then
    redis.call('HINCRBY', alert_notification, 'repeat_count', 1)
  end
end

if notification ~= '' then answer_again(notification) end
local alert_notifications = string.gsub(schedule, 'schedule$', 'notification:alert:')
for _, field in ipairs(redis.call('HKEYS', journal)) do
  if string.sub(field, 1, 2) == 'a:' then answer_again(alert_notifications .. string.sub(field, 3)) end
end
conclude()
return 'due'
