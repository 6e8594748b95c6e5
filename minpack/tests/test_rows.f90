! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Rows: what losses add to the cost and make of rows, against the formulas in quadruple precision, and weights.
program test_rows
    use, intrinsic :: iso_fortran_env, only: real128
    use kinds, only: wp, long, eps, is_nan => not_a_number
    use norms, only: enorm, is_finite
    use rows, only: keep_values, cost_norm, fill_rows, scale_rows
    use solver_options, only: loss_linear, loss_soft_l1, loss_huber, loss_cauchy, loss_arctan, loss_poisson
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    integer, parameter :: quad = real128
    real(wp), parameter :: none(1) = 0.0_wp

    call check_robust_costs()
    call check_deviance()
    call check_gradients()
    call check_means_that_cannot_be()
    call check_weights()
    call check_without_loss()
    call finish()

contains

    !> rho of one residual, in quadruple precision.
    pure function exact_rho(loss, z) result(rho)
        integer, intent(in) :: loss
        real(quad), intent(in) :: z
        real(quad) :: rho

        select case (loss)
        case (loss_soft_l1)
            rho = 2*z/(sqrt(1 + z) + 1)
        case (loss_huber)
            rho = merge(z, 2*sqrt(z) - 1, z <= 1)
        case (loss_cauchy)
            rho = log(1 + z)
            if (z < 1.0e-12_quad) rho = z - z**2/2
        case default
            rho = atan(z)
        end select
    end function exact_rho

    pure function exact_deviance(y, mean) result(cost)
        real(quad), intent(in) :: y, mean
        real(quad) :: cost

        cost = 2*mean
        if (y > 0) cost = 2*(mean - y + y*log(y/mean))
    end function exact_deviance

    !> The cost of one point.
    function cost(loss, scale, y, f) result(value)
        integer, intent(in) :: loss
        real(wp), intent(in) :: scale, y, f
        real(wp) :: value

        value = cost_norm(1, [f], loss, scale, [y], .false., none)**2
    end function cost

    !> Each loss over 24 decades, two of which are where its branches meet.
    subroutine check_robust_costs()
        real(wp), parameter :: scale = 0.7_wp
        real(wp) :: r, worst
        real(quad) :: exact
        integer :: loss, k

        do loss = loss_soft_l1, loss_arctan
            worst = 0.0_wp
            do k = -480, 480
                r = scale*10.0_wp**(k/40.0_wp)
                exact = real(scale, quad)**2*exact_rho(loss, (real(r, quad)/scale)**2)
                worst = max(worst, real(abs(cost(loss, scale, 0.0_wp, r)/exact - 1), wp))
            end do
            ! A dozen operations, each within half a unit, and the root and its square.
            call check_at_most(worst, 8*eps, "cost of loss "//digits_of(loss))
        end do
    end subroutine check_robust_costs

    !> Also where mean and count hardly differ, and the terms of the formula cancel, and where they differ most.
    subroutine check_deviance()
        real(wp) :: y, worst, step
        integer :: j, k

        worst = 0.0_wp
        do j = 0, 6
            y = 10.0_wp**j
            do k = -300, 200
                step = 10.0_wp**(k/40.0_wp)
                worst = max(worst, error_of_deviance(y, y*(1.0_wp + step)))
                if (step < 1.0_wp) worst = max(worst, error_of_deviance(y, y*(1.0_wp - step)))
            end do
        end do
        ! Where k is 1, a third above the mean, half a unit of the logarithm is five of the deviance.
        call check_at_most(worst, 16*eps, "deviance")
        worst = 0.0_wp
        do k = -300, 300
            worst = max(worst, error_of_deviance(1.0_wp, 10.0_wp**k), error_of_deviance(10.0_wp**k, 1.0_wp), &
                        error_of_deviance(10.0_wp**(k/2), 10.0_wp**(-k)))
        end do
        call check_at_most(worst, 4*eps, "deviance of means far from counts")
        call check_at_most(abs(cost(loss_poisson, 1.0_wp, 0.0_wp, 0.3_wp) - 0.6_wp), 2*eps, "deviance of no count")
        call check_at_most(cost(loss_poisson, 1.0_wp, 0.0_wp, 1.0e-310_wp), 1.0e-300_wp, "of the least means, too")
        call check(cost(loss_poisson, 1.0_wp, 0.0_wp, 0.0_wp) == 0.0_wp, &
                   "nothing expected and nothing counted cost nothing")
        call check(cost(loss_poisson, 1.0_wp, 5.0_wp, 5.0_wp) == 0.0_wp, "a count as expected costs nothing")
    end subroutine check_deviance

    !> Relative.
    function error_of_deviance(y, mean) result(error)
        real(wp), intent(in) :: y, mean
        real(wp) :: error

        error = real(abs(cost(loss_poisson, 1.0_wp, y, mean)/exact_deviance(real(y, quad), real(mean, quad)) - 1), wp)
    end function error_of_deviance

    !> Row times residual is half the derivative of the cost, by differences in quadruple precision.
    subroutine check_gradients()
        real(wp), parameter :: scale = 1.3_wp, y = 7.0_wp
        real(quad), parameter :: h = 1.0e-10_quad
        real(wp) :: block(1, 2), f
        real(quad) :: slope
        integer :: loss, k

        do loss = loss_soft_l1, loss_poisson
            do k = -20, 20
                f = scale*10.0_wp**(k/10.0_wp)
                if (loss == loss_huber .and. k == 0) cycle
                block(1, :) = [2.0_wp, f]
                call scale_rows(1, 1, 1, loss, scale, [y], .false., none, block)
                if (loss == loss_poisson) then
                    slope = (exact_deviance(real(y, quad), f + h) - exact_deviance(real(y, quad), f - h))/(2*h)
                else
                    slope = real(scale, quad)**2*(exact_rho(loss, ((f + h)/scale)**2) &
                                                  - exact_rho(loss, ((f - h)/scale)**2))/(2*h)
                end if
                ! The derivative of the model is 2; differences leave 1e-20.
                call check_at_most(abs(block(1, 1)*block(1, 2) - real(slope, wp)), &
                                   20*eps*(abs(real(slope, wp)) + 1.0_wp), "gradient of loss "//digits_of(loss))
                call check_at_most(abs(block(1, 2)), 2*f + y/sqrt(f), "residuals stay in reach of factorisation")
            end do
        end do
        block(1, :) = [2.0_wp, 0.0_wp]
        call scale_rows(1, 1, 1, loss_poisson, 1.0_wp, [0.0_wp], .false., none, block)
        call check_at_most(abs(block(1, 1)*block(1, 2) - 2.0_wp), 4*eps, "slope where nothing is expected nor counted")
    end subroutine check_gradients

    !> No mean of counts is negative, infinite, or nothing where there was something.
    subroutine check_means_that_cannot_be()
        real(wp) :: infinity

        infinity = huge(1.0_wp)
        infinity = 2*infinity
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 2.0_wp, 0.0_wp)), "no mean where there are counts")
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 2.0_wp, -1.0_wp)), "a negative mean of counts")
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 2.0_wp, 1.0e-310_wp)), "a mean too small to divide by")
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 0.0_wp, -1.0_wp)), "a negative mean of none")
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 2.0_wp, is_nan)), "a mean that is NaN")
        call check(.not. is_finite(cost(loss_poisson, 1.0_wp, 0.0_wp, infinity)), "an infinite mean")
        call check(.not. is_finite(cost(loss_cauchy, 1.0_wp, 0.0_wp, is_nan)), "a residual that is NaN")
    end subroutine check_means_that_cannot_be

    !> A point without weight is not looked at, with any loss, whatever is there.
    subroutine check_weights()
        real(wp), parameter :: y(3) = [1.0_wp, 2.0_wp, 3.0_wp], weights(3) = [1.0_wp, 0.0_wp, 1.0_wp]
        real(wp) :: values(3), slopes(3), f(3), block(3, 2), shifted(3)
        integer :: loss

        values = [1.5_wp, is_nan, 2.5_wp]
        slopes = [0.5_wp, is_nan, 2.0_wp]
        shifted = values + 0.25_wp*[0.5_wp, 1.0_wp, 2.0_wp]
        do loss = loss_linear, loss_poisson
            call keep_values(3, values, y, .true., weights, loss, f)
            call check_at_most(abs(cost_norm(3, f, loss, 1.0_wp, y, .true., weights)**2 &
                                   - (cost_of(loss, values(1), y(1)) + cost_of(loss, values(3), y(3)))), 8*eps, &
                                "cost without the point left out")
            call fill_rows(3, 1, 3, values, y, .true., weights, loss, slopes, 1_long, 3_long, .false., none, block)
            call scale_rows(3, 1, 3, loss, 1.0_wp, y, .true., weights, block)
            call check(block(2, 1) == 0.0_wp .and. block(2, 2) == 0.0_wp, "the row of a point left out is zero")
            call check(all(is_finite(block)), "the other rows are finite")
            slopes = block(:, 1)
            call fill_rows(3, 1, 3, values, y, .true., weights, loss, shifted, 1_long, 3_long, .true., [0.25_wp], block)
            call scale_rows(3, 1, 3, loss, 1.0_wp, y, .true., weights, block)
            call check_at_most(maxval(abs(block(:, 1) - slopes)), 8*eps, "differences are derivatives, scaled alike")
            slopes = [0.5_wp, is_nan, 2.0_wp]
        end do
        call fill_rows(3, 1, 3, values, y, .true., weights, loss_linear, shifted, 1_long, 3_long, .true., none, block)
        call check(all(block(:, 1) == 0.0_wp), "no step, no derivative")
    end subroutine check_weights

    !> The cost of one value.
    function cost_of(loss, value, y) result(total)
        integer, intent(in) :: loss
        real(wp), intent(in) :: value, y
        real(wp) :: total

        total = cost(loss, 1.0_wp, y, merge(value, value - y, loss == loss_poisson))
    end function cost_of

    !> Without a loss the cost is MINPACK's norm, and rows are left alone, to the last bit.
    subroutine check_without_loss()
        real(wp) :: f(700), block(700, 2)

        call random_number(f)
        call check(cost_norm(700, f, loss_linear, 1.0_wp, none, .false., none) == enorm(700, f), "norm without a loss")
        block(:, 1) = f
        block(:, 2) = f
        call scale_rows(700, 1, 700, loss_linear, 1.0_wp, none, .false., none, block)
        call check(all(block(:, 1) == f .and. block(:, 2) == f), "rows without a loss")
        call scale_rows(700, 1, 700, loss_huber, 2.0_wp, none, .false., none, block)
        call check(all(block(:, 1) == f .and. block(:, 2) == f), "Huber's rows within the scale")
    end subroutine check_without_loss

end program test_rows
