-- Count a sweep that did not find an open incident's trouble. Returns 1 if it was counted.
local journal, schedule = KEYS[1], KEYS[2]
-- `recovery`: 'healthy', 'removed' (the service does not exist any more) or 'still_sick' (under another cause's name).
local sweep, recovery = ARGV[1], ARGV[2]
-- The end of the sweep's window (ms); what the sweep measured of the service, for the message of the end.
local seen_at, measured_record = tonumber(ARGV[3]), ARGV[4]
-- When the window shows that the trouble ended (ms); 0 if it shows nothing of it.
local trouble_end = tonumber(ARGV[5])
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/notification_of.lua

local state = redis.call('HMGET', journal, 'stage', 'ended', 'recovered_by', 'recovery', 'clean_sweeps', 'found_at',
  'relapse_ms')
-- Race: the incident ended meanwhile, or the sweep runs again after a crash and was counted before.
if not state[1] or state[2] or state[3] == sweep then return 0 end
local before = tonumber(state[5] or 0)
local found_at = tonumber(state[6] or seen_at)
-- The window in which the trouble was found last may reach beyond its end.
if trouble_end > 0 and trouble_end < found_at then found_at = trouble_end end
local clean_sweeps = 0
if recovery ~= 'still_sick' then
  -- Sweeps count in a row only while they agree: one healthy and one removed prove neither.
  clean_sweeps = (state[4] == recovery and before or 0) + 1
end
redis.call('HSET', journal, 'recovered_by', sweep, 'recovery', recovery, 'clean_sweeps', clean_sweeps,
  'found_at', found_at, 'quiet_ms', math.max(0, seen_at - found_at), 'r:measured', measured_record)
if recovery == 'still_sick' then
  local away = before > 0 and seen_at - found_at or 0
  redis.call('HSET', journal, 'found_at', seen_at, 'relapse_ms', math.max(away, tonumber(state[7] or 0)))
end
if clean_sweeps ~= before then
  wake(journal)
  -- The first message shows the recovery with its figures, whatever stage the incident is at.
  wake(notification_of(journal))
end
return 1
