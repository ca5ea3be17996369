defmodule Meter.Application do
  use Application

  def start(_type, _args) do
    Supervisor.start_link([Meter.Collector], strategy: :one_for_one, max_restarts: 20)
  end
end
