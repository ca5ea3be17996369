class SessionsController < ActionController::API
  def create
    head :unauthorized
  end
end
