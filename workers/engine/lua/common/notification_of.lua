-- The notification journal of an incident: <prefix>incident:… → <prefix>notification:incident:…
local function notification_of(incident_key)
  return (string.gsub(incident_key, 'incident:', 'notification:incident:', 1))
end
