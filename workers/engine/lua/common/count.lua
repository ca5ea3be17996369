-- Needs `now`. Adds to the metrics of ourselves: `counts` is '' or JSON of {"add": {field: amount},
-- "observe": {name: [upper limits as text]}}. The observed value is the time since the journal was opened, in seconds.
local function count(journal, counters, counts)
  if counts == '' then return end
  local decoded = cjson.decode(counts)
  for field, amount in pairs(decoded.add or {}) do redis.call('HINCRBYFLOAT', counters, field, amount) end
  for name, limits in pairs(decoded.observe or {}) do
    local opened = tonumber(redis.call('HGET', journal, 'opened') or now)
    local seconds = math.max(0, now - opened) / 1000
    local bucket = '+Inf'
    for i = #limits, 1, -1 do
      if seconds <= tonumber(limits[i]) then bucket = limits[i] end
    end
    redis.call('HINCRBY', counters, name .. '|' .. bucket, 1)
    redis.call('HINCRBYFLOAT', counters, name .. '|sum', seconds)
  end
end
