-- End a claimed journal; its TTL begins. Returns 0 if the claim is lost, 2 if the journal was woken and must run again.
-- `notification` is '' if there is none; `slot` is the journal itself where `uses_slot` is 0.
local journal, schedule, notification, slot = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local open_incidents, ended_journals, counters, past = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local fence, token = ARGV[1], ARGV[2]
local ended_as, outcome, ttl_ms, uses_slot = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- 1: the journal ends even if it was woken during the claim.
local final = ARGV[7]
-- What the end counts in the metrics; '' if nothing.
local counts = ARGV[8]
-- The summary of an incident's occurrence, '' if there is none, and how long it is kept.
local occurrence_record, past_ttl_ms = ARGV[9], ARGV[10]
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/list_ended.lua
-- @include common/free_slot.lua
-- @include common/close_incident.lua
-- @include common/count_run.lua
-- @include common/count.lua
-- @include common/check_claim.lua

-- Race: the journal was woken during the claim. Its stage must look at that change before it may end.
local signals = redis.call('HMGET', journal, 'signals', 'signals_seen')
if final ~= '1' and tonumber(signals[1] or 0) > tonumber(signals[2] or 0) then return 2 end
count_run(journal, now, ended_as == 'failed' and 1 or 0)
redis.call('HDEL', journal, 'lease', 'not_before')
redis.call('HSET', journal, 'ended', now, 'ended_as', ended_as, 'outcome', outcome)
count(journal, counters, counts)
redis.call('ZREM', schedule, journal)
redis.call('PEXPIRE', journal, ttl_ms)
list_ended(journal)
if notification ~= '' then wake(notification) end
if uses_slot == '1' then free_slot(journal) end
local fingerprint = string.match(journal, 'incident:(%w+):')
if fingerprint then close_incident(journal, fingerprint, ttl_ms, ended_as) end
if fingerprint and occurrence_record ~= '' then
  redis.call('HSET', past, string.match(journal, '[^:]+$'), now .. ' ' .. occurrence_record)
  local kept = redis.call('HKEYS', past)
  -- Occurrences are named by the minute of their opening, so the smallest name is the oldest.
  if #kept > 20 then
    table.sort(kept)
    redis.call('HDEL', past, kept[1])
  end
  redis.call('PEXPIRE', past, past_ttl_ms)
end
return 1
