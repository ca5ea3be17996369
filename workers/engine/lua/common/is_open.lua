-- True if the journal exists and has not ended.
local function is_open(key)
  local state = redis.call('HMGET', key, 'stage', 'ended')
  return state[1] and not state[2]
end
