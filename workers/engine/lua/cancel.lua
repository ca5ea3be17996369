-- End a journal because a person asked for it, whether or not a worker holds its claim: cancel it, or decide that the
-- trouble of an incident is no problem. Returns 'cancelled', 'gone', 'ended', 'changed' if the caller must read the
-- journal again, or 'repeated' if the request has an answer.
-- `notification` is '' if there is none; `slot` is the journal itself where `uses_slot` is 0.
local journal, schedule, notification, slot = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local open_incidents, ended_journals = KEYS[5], KEYS[6]
local request, audit, decisions = KEYS[7], KEYS[8], KEYS[9]
local outcome, ttl_ms, uses_slot = ARGV[1], ARGV[2], ARGV[3]
-- The name under which the incident's budget is reserved.
local budget_holder = ARGV[4]
-- The record of the outcome, '' for a journal that is no incident; 1 if that record names a pull request.
local cancelled_record, names_pull = ARGV[5], ARGV[6]
-- Milliseconds for which reservations stay where a pull request may be open.
local cancelled_reservation_ms = ARGV[7]
-- The answer of the alerts that wait for this journal.
local answer_record = ARGV[8]
local entry, ended_as = ARGV[9], ARGV[10]
-- The decision that the trouble is no problem, and its id; '' if the journal is only cancelled.
local decision_id, decision = ARGV[11], ARGV[12]
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/list_ended.lua
-- @include common/free_slot.lua
-- @include common/close_incident.lua
-- @include common/count_run.lua

local state = redis.call('HMGET', journal, 'stage', 'ended', 'reserved', 'r:pull', 'r:remote', 'r:outcome',
  'budget_day', 'r:usage', 'lease')
local reserved, pull, remote, concluded = state[3], state[4], state[5], state[6]
local budget_day, usage = state[7], state[8]
if not state[1] then return 'gone' end
if state[2] then return 'ended' end
-- Race: a worker opened the pull request after the caller read the journal. The outcome would not name it.
if cancelled_record ~= '' and (pull and '1' or '0') ~= names_pull then return 'changed' end
if state[9] then count_run(journal, now, 0) end
-- The worker that holds the claim loses it here: it records nothing more and changes nothing outside.
redis.call('HINCRBY', journal, 'fence', 1)
redis.call('HDEL', journal, 'lease', 'not_before', 'token')
redis.call('HSET', journal, 'ended', now, 'ended_as', ended_as, 'outcome', outcome)
redis.call('HINCRBY', journal, 'cancel_count', 1)
redis.call('ZREM', schedule, journal)
redis.call('PEXPIRE', journal, ttl_ms)
list_ended(journal)

local function answer(alert_notification)
  local known = redis.call('HMGET', alert_notification, 'stage', 'ended', 'answer', 'merged_into')
  -- An alert that is owed no answer, or has one, gets none.
  if not known[1] or known[2] or known[3] or known[4] then return end
  redis.call('HSET', alert_notification, 'answer', answer_record)
  wake(alert_notification)
end

if uses_slot == '1' then
  if redis.call('HGET', slot, 'queued_sweep') == journal then redis.call('HDEL', slot, 'queued_sweep') end
  free_slot(journal)
  local alert_notifications = string.gsub(schedule, 'schedule$', 'notification:alert:')
  for _, field in ipairs(redis.call('HKEYS', journal)) do
    if string.sub(field, 1, 2) == 'a:' then answer(alert_notifications .. string.sub(field, 3)) end
  end
end
local fingerprint = string.match(journal, '^%w+:incident:(%w+):')
if not fingerprint then
  if notification ~= '' then answer(notification) end
  conclude()
  return 'cancelled'
end
redis.call('HSET', journal, 'r:cancelled', cancelled_record)
if decision_id ~= '' then
  redis.call('HSET', journal, 'r:decision', decision)
  redis.call('HSET', decisions, decision_id, decision)
end
close_incident(journal, fingerprint, ttl_ms, ended_as)
for key in string.gmatch(reserved or '', '[^,]+') do
  if redis.call('GET', key) == journal then
    -- Race: the worker was about to open the pull request and may have done so. The cause stays reserved until that
    -- pull request, and its hidden marker, can be seen.
    if pull or (remote and not concluded) then
      redis.call('PEXPIRE', key, cancelled_reservation_ms)
    else
      redis.call('DEL', key)
    end
  end
end
local counted = budget_day and redis.call('HGET', budget_day, 'run:' .. budget_holder)
if counted then
  -- The usage is a record (version 1, JSON); one that is compressed or newer counts as nothing spent.
  local spent = usage and string.sub(usage, 1, 2) == '1j' and cjson.decode(string.sub(usage, 3)).cost_usd or 0
  local cost = math.floor(spent * 1000000)
  redis.call('HINCRBY', budget_day, 'cost', cost - tonumber(counted))
  redis.call('HSET', budget_day, 'run:' .. budget_holder, cost)
end
if notification ~= '' then wake(notification) end
conclude()
return 'cancelled'
