-- Decide whether an incident group announces the incidents that a sweep is about to open. Returns the group's key: the
-- open group, or a new one for all incidents of the window that are in no group; '' if there are too few of them.
-- The sweep calls this before it opens the incidents, and again after a crash: the answer is then the same.
local open_incidents, schedule = KEYS[1], KEYS[2]
-- Sorted set of the environment's incidents by the time at which they were announced here.
local opened_lately = KEYS[3]
-- String that names the environment's open group, and the key of a group that this call may open.
local current_group, new_group = KEYS[4], KEYS[5]
local window_ms, min_incidents = tonumber(ARGV[1]), tonumber(ARGV[2])
-- ARGV[3] onwards: fingerprint, journal, …
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua
-- @include common/notification_of.lua

redis.call('ZREMRANGEBYSCORE', opened_lately, '-inf', now - window_ms)
local members = {}
for i = 3, #ARGV, 2 do
  local fingerprint, incident = ARGV[i], ARGV[i + 1]
  local holder = redis.call('HGET', open_incidents, fingerprint)
  -- Trouble whose cause has an open incident already joins that incident and needs no announcement.
  if not holder or holder == incident or not is_open(holder) then
    redis.call('ZADD', opened_lately, 'NX', now, incident)
    members[#members + 1] = incident
  end
end
if #members == 0 then return '' end
redis.call('PEXPIRE', opened_lately, window_ms)
local group = redis.call('GET', current_group)
local state = group and redis.call('HMGET', group, 'stage', 'ended', 'closed')
-- Race: the group's outcome may be posted at this moment. A closed group takes no further members.
if not state or not state[1] or state[2] or state[3] == '1' then
  members = {}
  for _, incident in ipairs(redis.call('ZRANGE', opened_lately, 0, -1)) do
    local known = redis.call('HMGET', incident, 'ended', 'group')
    if not known[1] and not known[2] then members[#members + 1] = incident end
  end
  if #members < min_incidents then return '' end
  group = new_group
  -- Two groups of one environment can begin within the same second.
  while redis.call('EXISTS', group) == 1 do group = group .. '+' end
  redis.call('HSET', group, 'opened', now, 'stage', 'notify')
end
redis.call('SET', current_group, group, 'PX', window_ms)
for _, incident in ipairs(members) do
  redis.call('HSETNX', group, 'm:' .. incident, now)
  -- An incident that is not open yet gets its group from OPEN_INCIDENT.
  if redis.call('EXISTS', incident) == 1 and redis.call('HSETNX', incident, 'group', group) == 1 then
    wake(notification_of(incident))
  end
end
wake(group)
return group
