-- Open the journal of a rollback, or of the end of one, and note it in its incident. Returns 'done', 'changed' if the
-- caller must read the incident again, or 'repeated' if the request has an answer.
local request, audit, journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local rollback = KEYS[6]
local entry, record = ARGV[1], ARGV[2]
-- The newest rollback of the incident as the caller read it; '' if there was none.
local seen = ARGV[3]
-- 1: only while the incident is open.
local needs_open = ARGV[4]
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua

-- Race: the incident ended or expired after the caller read it.
if redis.call('EXISTS', journal) == 0 or (needs_open == '1' and not is_open(journal)) then return 'changed' end
-- Race: two people press at the same time. Only the first one opens a journal.
if (redis.call('HGET', journal, 'r:rollback') or '') ~= seen then return 'changed' end
if redis.call('EXISTS', rollback) == 1 then return 'changed' end
redis.call('HINCRBY', journal, 'rollback_count', 1)
redis.call('HSET', journal, 'r:rollback', record)
redis.call('HSET', rollback, 'opened', now, 'stage', 'roll_back', 'r:rollback', record)
redis.call('ZADD', schedule, now, rollback)
wake(notification)
conclude()
return 'done'
