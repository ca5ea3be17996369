-- Release a claim and schedule the journal for a stage. Returns 0 if the claim is lost.
-- `notification` is '' if no notification journal has to be woken.
local journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3]
local fence, token = ARGV[1], ARGV[2]
local stage, after_ms = ARGV[3], tonumber(ARGV[4])
-- `blocked` 1: no signal may bring the journal forward. `result`: 'progress', 'failed' or 'shutdown'.
local blocked, reason, result = ARGV[5], ARGV[6], ARGV[7]
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/count_run.lua
-- @include common/check_claim.lua

count_run(journal, now, result == 'failed' and 1 or 0)
redis.call('HDEL', journal, 'lease', 'not_before')
local due_at = now + after_ms
if blocked == '1' then
  redis.call('HSET', journal, 'not_before', due_at)
else
  -- Race: the journal was woken during the claim. The stage must run again, because it did not see that change.
  local signals = redis.call('HMGET', journal, 'signals', 'signals_seen')
  if tonumber(signals[1] or 0) > tonumber(signals[2] or 0) then due_at = now end
end
redis.call('HSET', journal, 'stage', stage, 'reason', reason)
-- A worker that shuts down neither failed nor made progress: crashes and attempts stay as they are.
if result ~= 'shutdown' then redis.call('HSET', journal, 'crashes', 0) end
if result == 'failed' then
  redis.call('HINCRBY', journal, 'attempts', 1)
  redis.call('HSETNX', journal, 'failing_since', now)
elseif result == 'progress' then
  redis.call('HSET', journal, 'attempts', 0)
  redis.call('HDEL', journal, 'failing_since')
end
redis.call('ZADD', schedule, due_at, journal)
if notification ~= '' then wake(notification) end
return 1
