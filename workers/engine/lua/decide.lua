-- Add a decision of a person, and note it in the incident that it is about. Returns 'done', 'changed' if the caller must
-- read the incident again, or 'repeated' if the request has an answer.
local request, audit, decisions, ended_decisions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- The incident, which is the key of the decisions themselves where `has_journal` is 0.
local journal, schedule, notification, counters = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local entry, decision_id, decision, has_journal = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- What the decision counts in the metrics; '' if nothing.
local counts = ARGV[5]
-- ARGV[6] onwards: ids of decisions that have ended or that this one replaces
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/count.lua
-- @include common/is_open.lua

if has_journal == '1' then
  -- Race: the incident ended after the caller read it.
  if not is_open(journal) then return 'changed' end
  redis.call('HSET', journal, 'r:decision', decision)
  wake(notification)
end
for i = 6, #ARGV do
  local ended = redis.call('HGET', decisions, ARGV[i])
  if ended then
    redis.call('HDEL', decisions, ARGV[i])
    redis.call('LPUSH', ended_decisions, ended)
  end
end
redis.call('LTRIM', ended_decisions, 0, 999)
redis.call('HSET', decisions, decision_id, decision)
count(decisions, counters, counts)
conclude()
return 'done'
