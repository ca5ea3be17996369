-- Record that a person takes an incident. Returns 'done', 'changed' if the caller must read the journal again, or
-- 'repeated' if the request has an answer.
local request, audit, journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local entry, record = ARGV[1], ARGV[2]
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua

-- Race: two people press at the same time, or the incident ends meanwhile. The first person has it.
if not is_open(journal) or redis.call('HSETNX', journal, 'r:acknowledged', record) == 0 then return 'changed' end
wake(notification)
conclude()
return 'done'
