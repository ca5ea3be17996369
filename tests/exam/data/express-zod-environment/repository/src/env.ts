import { z } from 'zod';

const schema = z.object({
  NODE_ENV: z.enum(['development', 'production']),
  PORT: z.coerce.number(),
  STRIPE_WEBHOOK_SECRET: z.string().min(8),
});

export const env = schema.parse(process.env);
