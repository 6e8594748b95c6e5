! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The test problems that fit a model to points: residuals f and Jacobian at x.
!>
!> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software,
!> ACM Trans. Math. Softw. 7 (1981) 17-41, functions 6, 8, 10, 12, 15, 17 and 19.
module fitting_problems
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: bard, kowalik_osborne, meyer, box_3d, jennrich_sampson, osborne_1, osborne_2

contains

    pure subroutine bard(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (3)
        real(wp), intent(out) :: f(:)               !! residuals (15)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (15, 3)

        real(wp), parameter :: y(*) = [ &
            0.14_wp, 0.18_wp, 0.22_wp, 0.25_wp, 0.29_wp, 0.32_wp, 0.35_wp, 0.39_wp, &
            0.37_wp, 0.58_wp, 0.73_wp, 0.96_wp, 1.34_wp, 2.10_wp, 4.39_wp]
        real(wp) :: u, v, w, denominator
        integer :: i

        do i = 1, size(f)
            u = i
            v = 16 - i
            w = min(u, v)
            denominator = v*x(2) + w*x(3)
            f(i) = y(i) - (x(1) + u/denominator)
            jac(i, :) = [-1.0_wp, u*v/denominator**2, u*w/denominator**2]
        end do
    end subroutine bard

    pure subroutine kowalik_osborne(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (4)
        real(wp), intent(out) :: f(:)               !! residuals (11)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (11, 4)

        real(wp), parameter :: y(*) = [ &
            0.1957_wp, 0.1947_wp, 0.1735_wp, 0.1600_wp, 0.0844_wp, 0.0627_wp, &
            0.0456_wp, 0.0342_wp, 0.0323_wp, 0.0235_wp, 0.0246_wp]
        real(wp), parameter :: u(*) = [ &
            4.0_wp, 2.0_wp, 1.0_wp, 0.5_wp, 0.25_wp, 0.167_wp, &
            0.125_wp, 0.1_wp, 0.0833_wp, 0.0714_wp, 0.0625_wp]
        real(wp) :: numerator, denominator
        integer :: i

        do i = 1, size(f)
            numerator = u(i)*(u(i) + x(2))
            denominator = u(i)*(u(i) + x(3)) + x(4)
            f(i) = y(i) - x(1)*numerator/denominator
            jac(i, 1) = -numerator/denominator
            jac(i, 2) = -x(1)*u(i)/denominator
            jac(i, 3) = x(1)*numerator*u(i)/denominator**2
            jac(i, 4) = x(1)*numerator/denominator**2
        end do
    end subroutine kowalik_osborne

    pure subroutine meyer(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (3)
        real(wp), intent(out) :: f(:)               !! residuals (16)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (16, 3)

        real(wp), parameter :: y(*) = [ &
            34780.0_wp, 28610.0_wp, 23650.0_wp, 19630.0_wp, 16370.0_wp, 13720.0_wp, 11540.0_wp, 9744.0_wp, &
            8261.0_wp, 7030.0_wp, 6005.0_wp, 5147.0_wp, 4427.0_wp, 3820.0_wp, 3307.0_wp, 2872.0_wp]
        real(wp) :: shifted, growth
        integer :: i

        do i = 1, size(f)
            shifted = 45.0_wp + 5.0_wp*i + x(3)
            growth = exp(x(2)/shifted)
            f(i) = x(1)*growth - y(i)
            jac(i, :) = growth*[1.0_wp, x(1)/shifted, -x(1)*x(2)/shifted**2]
        end do
    end subroutine meyer

    pure subroutine box_3d(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (3)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, 3)

        real(wp) :: t, difference
        integer :: i

        do i = 1, size(f)
            t = 0.1_wp*i
            difference = exp(-t) - exp(-10.0_wp*t)
            f(i) = exp(-t*x(1)) - exp(-t*x(2)) - x(3)*difference
            jac(i, :) = [-t*exp(-t*x(1)), t*exp(-t*x(2)), -difference]
        end do
    end subroutine box_3d

    pure subroutine jennrich_sampson(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (2)
        real(wp), intent(out) :: f(:)               !! residuals (m)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (m, 2)

        integer :: i

        do i = 1, size(f)
            f(i) = 2 + 2*i - (exp(i*x(1)) + exp(i*x(2)))
            jac(i, :) = -i*exp(i*x)
        end do
    end subroutine jennrich_sampson

    !> A constant and two exponentials.
    pure subroutine osborne_1(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (5)
        real(wp), intent(out) :: f(:)               !! residuals (33)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (33, 5)

        real(wp), parameter :: y(*) = [ &
            0.844_wp, 0.908_wp, 0.932_wp, 0.936_wp, 0.925_wp, 0.908_wp, 0.881_wp, 0.850_wp, 0.818_wp, 0.784_wp, &
            0.751_wp, 0.718_wp, 0.685_wp, 0.658_wp, 0.628_wp, 0.603_wp, 0.580_wp, 0.558_wp, 0.538_wp, 0.522_wp, &
            0.506_wp, 0.490_wp, 0.478_wp, 0.467_wp, 0.457_wp, 0.448_wp, 0.438_wp, 0.431_wp, 0.424_wp, 0.420_wp, &
            0.414_wp, 0.411_wp, 0.406_wp]
        real(wp) :: t, first, second
        integer :: i

        do i = 1, size(f)
            t = 10.0_wp*(i - 1)
            first = exp(-x(4)*t)
            second = exp(-x(5)*t)
            f(i) = y(i) - (x(1) + x(2)*first + x(3)*second)
            jac(i, :) = [-1.0_wp, -first, -second, t*x(2)*first, t*x(3)*second]
        end do
    end subroutine osborne_1

    !> An exponential and three Gaussian peaks.
    pure subroutine osborne_2(x, f, jac)
        real(wp), intent(in) :: x(:)                !! parameters (11)
        real(wp), intent(out) :: f(:)               !! residuals (65)
        real(wp), intent(out) :: jac(:, :)          !! Jacobian (65, 11)

        real(wp), parameter :: y(*) = [ &
            1.366_wp, 1.191_wp, 1.112_wp, 1.013_wp, 0.991_wp, 0.885_wp, 0.831_wp, 0.847_wp, 0.786_wp, 0.725_wp, &
            0.746_wp, 0.679_wp, 0.608_wp, 0.655_wp, 0.616_wp, 0.606_wp, 0.602_wp, 0.626_wp, 0.651_wp, 0.724_wp, &
            0.649_wp, 0.649_wp, 0.694_wp, 0.644_wp, 0.624_wp, 0.661_wp, 0.612_wp, 0.558_wp, 0.533_wp, 0.495_wp, &
            0.500_wp, 0.423_wp, 0.395_wp, 0.375_wp, 0.372_wp, 0.391_wp, 0.396_wp, 0.405_wp, 0.428_wp, 0.429_wp, &
            0.523_wp, 0.562_wp, 0.607_wp, 0.653_wp, 0.672_wp, 0.708_wp, 0.633_wp, 0.668_wp, 0.645_wp, 0.632_wp, &
            0.591_wp, 0.559_wp, 0.597_wp, 0.625_wp, 0.739_wp, 0.710_wp, 0.729_wp, 0.720_wp, 0.636_wp, 0.581_wp, &
            0.428_wp, 0.292_wp, 0.162_wp, 0.098_wp, 0.054_wp]
        real(wp) :: t, decay, peaks(3), offset(3)
        integer :: i

        do i = 1, size(f)
            t = (i - 1)/10.0_wp
            decay = exp(-t*x(5))
            offset = t - x(9:11)
            peaks = exp(-x(6:8)*offset**2)
            f(i) = y(i) - (x(1)*decay + dot_product(x(2:4), peaks))
            jac(i, 1) = -decay
            jac(i, 2:4) = -peaks
            jac(i, 5) = x(1)*t*decay
            jac(i, 6:8) = x(2:4)*offset**2*peaks
            jac(i, 9:11) = -2.0_wp*x(2:4)*x(6:8)*offset*peaks
        end do
    end subroutine osborne_2

end module fitting_problems
