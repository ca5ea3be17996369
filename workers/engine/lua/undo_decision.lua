-- End a decision before its time. Returns 'done', 'changed' if it is none or has ended, or 'repeated' if the request has
-- an answer.
local request, audit, decisions, ended_decisions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- The incident that notes it, which is the key of the decisions themselves where `has_journal` is 0.
local journal, schedule, notification, counters = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local entry, decision_id, undone, has_journal = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- The decision as the incident notes it.
local noted = ARGV[5]
-- What taking it back counts in the metrics; '' if nothing.
local counts = ARGV[6]
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/count.lua

-- Race: two people undo it.
if redis.call('HDEL', decisions, decision_id) == 0 then return 'changed' end
redis.call('LPUSH', ended_decisions, undone)
redis.call('LTRIM', ended_decisions, 0, 999)
-- A later decision about the same incident stays.
if has_journal == '1' and redis.call('HGET', journal, 'r:decision') == noted then
  redis.call('HSET', journal, 'r:decision', undone)
  wake(notification)
end
count(decisions, counters, counts)
conclude()
return 'done'
