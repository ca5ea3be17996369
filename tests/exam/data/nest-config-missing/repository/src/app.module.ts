import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { TokenService } from './token.service';

@Module({ imports: [ConfigModule.forRoot()], providers: [TokenService] })
export class AppModule {}
